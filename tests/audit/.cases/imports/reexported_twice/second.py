from .first import get_manager as get_manager
