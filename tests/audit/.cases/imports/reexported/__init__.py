from .inner import load as load

__all__ = ["load"]
