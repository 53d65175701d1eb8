import type { App } from '../app.js';

/** Whether the database answers. */
export async function isDatabaseReady(app: App): Promise<boolean> {
  try {
    await app.db.$queryRaw`SELECT 1`;
    return true;
  } catch (error) {
    app.log.warn({ err: error }, 'database does not answer');
    return false;
  }
}
