import { useRef, useState, type ReactElement, type ReactNode, type SubmitEvent } from 'react';
import * as v from 'valibot';
import { textOf, type Failure } from '../api/errors.js';
import styles from './field.module.css';

export interface FormState {
  readonly busy: boolean;
  readonly failure: Failure | null;
  /** By the name of the field. */
  readonly faults: Readonly<Record<string, string>>;
  /** Whether the last values were accepted. */
  readonly done: boolean;
}

const IDLE: FormState = { busy: false, failure: null, faults: {}, done: false };

interface FormHandle extends FormState {
  readonly submit: (event: SubmitEvent<HTMLFormElement>) => void;
  readonly reset: () => void;
}

/**
 * Reads a form, checks it, and sends it once at a time. What does not fit is said at its field, which gets the focus.
 * @param send returns why the values were refused, or null
 */
export function useForm<Output>(
  schema: v.GenericSchema<unknown, Output>,
  send: (values: Output) => Promise<Failure | null>,
): FormHandle {
  const [state, setState] = useState(IDLE);
  const busy = useRef(false);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const parsed = v.safeParse(schema, Object.fromEntries(new FormData(form)));
    if (!parsed.success) {
      const faults = faultsOf(parsed.issues);
      setState({ ...IDLE, faults });
      focus(form, Object.keys(faults)[0]);
      return;
    }
    busy.current = true;
    setState({ ...IDLE, busy: true });
    const failure = await send(parsed.output);
    busy.current = false;
    const field = failure?.code === 'BAD_USER_INPUT' ? failure.field : undefined;
    const isShown = field !== undefined && form.elements.namedItem(field) !== null;
    setState({
      ...IDLE,
      failure: isShown ? null : failure,
      faults: isShown && failure !== null ? { [field]: textOf(failure) } : {},
      done: failure === null,
    });
    if (failure === null) return;
    focus(form, isShown ? field : undefined);
  };
  return {
    ...state,
    submit: (event) => {
      event.preventDefault();
      if (!busy.current) void submit(event.currentTarget);
    },
    reset: () => setState(IDLE),
  };
}

function faultsOf(issues: readonly v.BaseIssue<unknown>[]): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const issue of issues) faults[v.getDotPath(issue) ?? ''] ??= issue.message;
  return faults;
}

function focus(form: HTMLFormElement, name: string | undefined): void {
  const field = name === undefined ? null : form.elements.namedItem(name);
  if (field instanceof HTMLElement) field.focus();
}

/** A form, with what went wrong above its button. */
export const Form = ({
  state,
  children,
  label,
}: {
  state: FormHandle;
  children: ReactNode;
  label?: string | undefined;
}): ReactElement => (
  <form className={styles.form} onSubmit={state.submit} noValidate aria-label={label}>
    <Refusal failure={state.failure} />
    {children}
  </form>
);

/** A screen reader says it as soon as it appears. */
export const Refusal = ({ failure }: { failure: Failure | null }): ReactElement => (
  <div role="alert" className={styles.alert}>
    {failure !== null && <p className={styles.failure}>{textOf(failure)}</p>}
  </div>
);

export const Done = ({ children }: { children: ReactNode }): ReactElement => (
  <p role="status" className={styles.done}>
    {children}
  </p>
);
