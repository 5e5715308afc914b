'use client';

import { verify } from 'countersign';
import { useEffect, useState } from 'react';
import { serve } from '../serve.js';

export function Wallet() {
  const [ready, setReady] = useState(false);
  useEffect(() => {
    window.said = [];
    const url = new URLSearchParams(location.search).get('server');
    serve(url, (word) => window.said.push(word)).catch((error) => window.said.push({ error: String(error) }));
    setReady(true);
  }, []);
  return <p>{ready ? 'in the browser' : `before that: ${typeof verify}`}</p>;
}
