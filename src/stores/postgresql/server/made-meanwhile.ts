/** Repeats work if another program creates a schema or table after this program found it missing. */
import { sqlStateOf } from './server-errors.ts'

const MADE_MEANWHILE: ReadonlySet<string> = new Set(['23505', '42P06', '42P07'])
const MOST_TRIES = 3

/**
 * Runs `body`, up to 3 times while another program creates the same object at the same time.
 * @param body must first check what exists
 */
export async function unlessMadeMeanwhile(body: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await body()
    } catch (error) {
      if (tries === MOST_TRIES || !MADE_MEANWHILE.has(sqlStateOf(error) ?? '')) throw error
    }
  }
}
