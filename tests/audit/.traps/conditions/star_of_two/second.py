from third import *
