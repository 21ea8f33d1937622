/** Dropped work that does not end: a hanging server must not keep a run from reporting its end. */

/** How long dropped work is waited for, ms: ten seconds after its abort the program is killed, and reports nothing. */
const DROPPED_MS = 7000

/**
 * @param abort of the run @throws what the work throws, or the abort's reason if the work has not ended `patienceMs`
 * after the abort
 */
export async function unlessStuck<T>(work: Promise<T>, abort: AbortSignal, patienceMs = DROPPED_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let begin = (): void => undefined
  const late = new Promise<never>((_, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(abort.reason as Error), patienceMs)
    }
  })
  if (abort.aborted) begin()
  else abort.addEventListener('abort', begin, { once: true })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    abort.removeEventListener('abort', begin)
  }
}
