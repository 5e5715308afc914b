import { Key } from 'countersign';
import { useWallet } from 'countersign/react';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

window.said = [];

/** Two of these have one wallet. */
function Prompts({ signer, approves }) {
  const { state, publicKey, requests, outcomes, wallet } = useWallet({ key: signer, url: '/ws' });
  const [label, setLabel] = useState();
  useEffect(() => {
    return wallet?.on('frame', ({ type, text }) => type === 'introduction' && setLabel(JSON.parse(text).device.label));
  }, [wallet]);
  useEffect(() => {
    if (approves && state === 'connected' && label) window.said.push({ publicKey, label });
  }, [approves, state, publicKey, label]);
  useEffect(() => {
    if (!approves && outcomes.length > 0) window.said.push({ state: outcomes[0].state });
  }, [approves, outcomes]);
  if (!approves) return <p>{`${state}, ${requests.length} open`}</p>;
  return requests.map((request) => (
    <button key={request.id} type="button" onClick={() => request.approve()}>
      {`Approve ${request.requester.name}`}
    </button>
  ));
}

function App() {
  const [key, setKey] = useState();
  useEffect(() => {
    Key.generate().then(setKey, (error) => window.said.push({ error: String(error) }));
  }, []);
  return (
    <>
      <Prompts signer={key} approves={true} />
      <Prompts signer={key} approves={false} />
    </>
  );
}

createRoot(document.getElementById('app')).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
