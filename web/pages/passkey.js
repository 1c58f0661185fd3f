// Passkeys: https://www.w3.org/TR/webauthn-3/
'use strict';

const passkeys = (() => {
  async function post(path, body) {
    const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.errors[0].message);
    return answer;
  }

  // ask has the device do something. What browsers say when people change their minds is for programmers.
  async function ask(work) {
    try {
      return await work();
    } catch (error) {
      if (error.name === 'InvalidStateError') throw new Error('this device has a passkey for you already');
      throw new Error('the device did not give a passkey: try again, or use another way');
    }
  }

  return {
    possible: () => Boolean(window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON),

    // signIn signs in, or proves the second factor of who is signed in.
    async signIn() {
      const { publicKey } = await post('/auth/passkey/options', {});
      const credential = await ask(() => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }));
      return post('/auth/passkey', { credential: credential.toJSON() });
    },

    // add makes a passkey, and returns recovery codes when it is the first second factor.
    async add(name) {
      const { publicKey } = await post('/auth/passkeys/options', {});
      const credential = await ask(() => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) }));
      return (await post('/auth/passkeys', { name, credential: credential.toJSON() })).recovery_codes;
    },
  };
})();
