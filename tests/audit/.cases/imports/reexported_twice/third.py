from .second import get_manager as manager_of

__all__ = ["manager_of"]
