"""python -m lsgan.theory: the theory in figures and on one page; lsgan.explain draws and writes them."""

from lsgan import command
from lsgan.explain.writing import main

if __name__ == "__main__":
    command.run(main)
