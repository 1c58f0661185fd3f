// The forms to sign in, to set up and to set a password: send the fields as JSON, show what went wrong, or go on.
'use strict';

function show(form, message) {
  const error = form.querySelector('.error');
  error.textContent = message[0].toUpperCase() + message.slice(1).replace(/([^.!?])$/, '$1.');
  error.hidden = false;
}

// takeToken returns the token of the link that led here, and takes it out of the address bar and of the history.
function takeToken(form) {
  const token = location.hash.slice(1) || new URLSearchParams(location.search).get('token') || '';
  history.replaceState(null, '', location.pathname);
  if (!token) {
    show(form, form.dataset.token || 'Open the setup link that the server printed when it started.');
    form.querySelector('button').disabled = true;
  }
  return token;
}

const second = document.querySelector('form[data-second]');

function attend(form) {
  const button = form.querySelector('button');
  const token = 'token' in form.dataset ? takeToken(form) : '';
  if (!window.isSecureContext) {
    show(form, 'This page did not come over HTTPS: the browser will not keep you signed in.');
  }
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    form.querySelector('.error').hidden = true;
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
      if (response.ok && answer.second_factor) {
        form.hidden = true;
        second.hidden = false;
        second.elements.code.focus();
        return;
      }
      if (response.ok) {
        location.assign(form.dataset.next);
        return;
      }
      show(form, answer.errors[0].message);
    } catch {
      show(form, 'The server does not answer. Try again in a moment.');
    }
    button.disabled = false;
  });
}

document.querySelectorAll('form').forEach(attend);

const passkeyButton = document.getElementById('passkey');
if (passkeyButton && passkeys.possible()) {
  passkeyButton.hidden = false;
  passkeyButton.addEventListener('click', async () => {
    passkeyButton.disabled = true;
    try {
      await passkeys.signIn();
      location.assign(passkeyButton.dataset.next);
      return;
    } catch (error) {
      show([...document.querySelectorAll('form')].find((form) => !form.hidden), error.message);
    }
    passkeyButton.disabled = false;
  });
}
document.querySelectorAll('button[data-provider]').forEach((button) => button.addEventListener('click', async () => {
  button.disabled = true;
  const form = document.querySelector('form');
  try {
    const response = await fetch(`/auth/oidc/${button.dataset.provider}/leave`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ next: button.dataset.next }),
    });
    const answer = await response.json();
    if (response.ok) {
      location.assign(answer.location);
      return;
    }
    show(form, answer.errors[0].message);
  } catch {
    show(form, 'The server does not answer. Try again in a moment.');
  }
  button.disabled = false;
}));
