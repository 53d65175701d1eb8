import { Component, type ReactElement, type ReactNode } from 'react';
import * as m from '../paraglide/messages.js';
import { Notice } from '../ui/notice.js';

/** Shown instead of a page that fails, for example because a part of it cannot be loaded without a connection. */
export class Broken extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    return this.state.failed ? <Apology /> : this.props.children;
  }
}

const Apology = (): ReactElement => (
  <Notice
    title={m.frame_broken_title()}
    text={m.frame_broken_text()}
    action={{ name: m.frame_retry(), run: () => location.reload() }}
  />
);
