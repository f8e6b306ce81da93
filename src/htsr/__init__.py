"""Heavy-tailed self-regularization: spectra of neural networks, their tails and what they predict."""
