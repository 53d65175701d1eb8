import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { registerWorker } from './offline/worker.js';
import { watchSignOut } from './session/change.js';
import { followTabs } from './session/leave.js';

followTabs();
watchSignOut();
const root = document.getElementById('root');
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
if (import.meta.env.PROD) registerWorker();
