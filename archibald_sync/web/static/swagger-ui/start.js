"use strict";

SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#document",
  // Nothing is ever sent to a validator on the web.
  validatorUrl: null,
  deepLinking: true,
  persistAuthorization: false,
});
