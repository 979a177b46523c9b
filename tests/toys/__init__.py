"""One toy of each kind that the stack can be extended with: each is a new file, and no existing one knows it.

ARCHITECTURE.md has the recipes; what it promises is proven here.
"""
