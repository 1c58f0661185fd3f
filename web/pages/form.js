// The forms to sign in and to set up: send the fields as JSON, show what went wrong, or go on.
'use strict';

const form = document.querySelector('form');
const error = form.querySelector('.error');
const button = form.querySelector('button');

function show(message) {
  error.textContent = message[0].toUpperCase() + message.slice(1).replace(/([^.!?])$/, '$1.');
  error.hidden = false;
}

let token = '';
if ('token' in form.dataset) {
  token = new URLSearchParams(location.search).get('token') || '';
  history.replaceState(null, '', location.pathname); // out of the address bar and of the history
  if (!token) {
    show('Open the setup link that the server printed when it started.');
    button.disabled = true;
  }
}
if (!window.isSecureContext) {
  show('This page did not come over HTTPS: the browser will not keep you signed in.');
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  error.hidden = true;
  button.disabled = true;
  const fields = Object.fromEntries(new FormData(form));
  if (token) fields.token = token;
  try {
    const response = await fetch(form.action, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fields),
    });
    const answer = await response.json();
    if (response.ok) {
      location.assign(form.dataset.next);
      return;
    }
    show(answer.errors[0].message);
  } catch {
    show('The server does not answer. Try again in a moment.');
  }
  button.disabled = false;
});
