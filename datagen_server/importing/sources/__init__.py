"""Where people's own pictures come from: folders, archives, label files, OCR LMDBs, WebDataset pairs."""
