-- An end has the name that errors and metrics have for it too.
UPDATE requests SET end_kind = 'signer_disconnected' WHERE end_kind = 'disconnected';
