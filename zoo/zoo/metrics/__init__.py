"""What measuring takes: images, features and where they are kept, metrics, nearest neighbors, a linear classifier."""
