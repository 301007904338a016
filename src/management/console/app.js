'use strict';
// Lists the APIs.
fetch('/console/api/overview').then((answer) => answer.json()).then((overview) => {
  for (const api of overview.apis) {
    const row = document.createElement('tr');
    for (const text of [api.name, api.apiId, api.endpoint]) {
      const cell = document.createElement('td');
      cell.textContent = text;
      row.append(cell);
    }
    document.getElementById('apis').append(row);
  }
});
