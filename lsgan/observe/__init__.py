"""What is looked at while a GAN trains: one class an observer, each with its pace and its columns."""
