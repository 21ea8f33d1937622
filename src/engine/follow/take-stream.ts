/** One program at a time follows a stream. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyRun } from '../copy/copy-run.ts'
import type { StreamLedger } from './ledger/streams.ts'

const LOOK_MS = 1000

/**
 * Waits for the lease of a program on another machine; one on this machine that lives is not waited for.
 * @returns the fence
 * @throws SluiceError LEDGER_BUSY where a living program has it
 */
export async function takeStream(ledger: StreamLedger, stream: string, run: CopyRun): Promise<number> {
  for (let told = false; ; told = true) {
    const got = await ledger.take(stream)
    if (typeof got === 'number') return got
    const who = `process ${got.pid ?? '?'} on ${got.host ?? 'another machine'}`
    if (got.machine === run.owner.machine) {
      throw new SluiceError('LEDGER_BUSY', `${who} follows these tables`, {
        hint: 'sluice runs shows it; end it first, with ctrl-c or sluice ctl RUN stop',
      })
    }
    const message = `${who} follows these tables; waiting until its lease ends`
    if (!told) run.emit({ type: 'log', level: 'note', message })
    await sleep(LOOK_MS, undefined, { signal: run.interrupt.stop }).catch(() => undefined)
    throwIfAborted(run.interrupt.stop)
  }
}
