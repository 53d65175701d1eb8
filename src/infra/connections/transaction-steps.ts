/** Steps that functions have added for the end of their caller's transaction. */
interface Steps {
  readonly beforeCommit: (() => Promise<void>)[];
  readonly afterCommit: (() => void)[];
}

const stepsByTx = new WeakMap<object, Steps>();

function stepsOf(tx: object): Steps {
  const steps = stepsByTx.get(tx);
  if (steps === undefined) throw new Error('This transaction was not begun by `transact`.');
  return steps;
}

/**
 * Adds a step that runs at the end of the transaction, before its commit. A lock that all transactions share is taken in
 * such a step, so that no transaction waits for another lock while it holds this one.
 */
export function beforeCommit(tx: object, step: () => Promise<void>): void {
  stepsOf(tx).beforeCommit.push(step);
}

/**
 * Adds a step that runs after the commit, and never after a rollback. This is for reports of a change, such as a line of
 * the log.
 */
export function afterCommit(tx: object, step: () => void): void {
  stepsOf(tx).afterCommit.push(step);
}

/** The steps of one try of a transaction. */
export function createSteps(): {
  /** Runs the work, and then the steps that it has added for before the commit. */
  around<Tx extends object, Result>(tx: Tx, work: (tx: Tx) => Promise<Result>): Promise<Result>;
  runAfterCommit(): void;
} {
  const steps: Steps = { beforeCommit: [], afterCommit: [] };
  return {
    around: async (tx, work) => {
      stepsByTx.set(tx, steps);
      const result = await work(tx);
      for (const step of steps.beforeCommit) await step();
      return result;
    },
    runAfterCommit: () => {
      for (const step of steps.afterCommit) step();
    },
  };
}
