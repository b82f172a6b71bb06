const reader = document.getElementById('reader');
SwaggerUIBundle({ url: reader.dataset.document, domNode: reader, deepLinking: true, tryItOutEnabled: true });
