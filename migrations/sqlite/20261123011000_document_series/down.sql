DROP TABLE document_secrets;
DROP TABLE document_series;
