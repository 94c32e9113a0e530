"""The network: preprocessing, features, LSTM layers, classifier, and its description."""
