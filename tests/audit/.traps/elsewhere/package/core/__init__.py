from .base import Base as Root
