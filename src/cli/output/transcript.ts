/**
 * Text that stays in the scrollback after the terminal UI has closed: for each run, the lines that the same command
 * prints without the UI. Log files are written during the run.
 */
import type { Event } from '../../model/run/event.ts'
import { noteEvents, withNext } from './start-texts.ts'
import type { StartTexts } from './start-texts.ts'
import type { Frontend } from './frontend.ts'
import { consoleFrontends, fileFrontends } from './frontends.ts'
import type { FrontendOptions } from './frontends.ts'
import { BufferedOutput } from './buffered-output.ts'
import { openOutput } from './output.ts'
import type { CliContext } from '../ports.ts'

/** Limit of printed runs. A session may have many runs: the last ones are printed. */
const KEPT_RUNS = 5

export type TranscriptOptions = Omit<FrontendOptions, 'progress'> & StartTexts

export type Transcript = {
  /** Takes one event of a run; events of a run arrive in order. */
  take(run: number, event: Event): void
  /** Writes the stored output, oldest run first. Resolves once it is written. */
  end(): Promise<void>
}

/** Output of one run until the UI closes. */
type StoredRun = { readonly faces: readonly Frontend[]; readonly output: BufferedOutput }

/** @throws SluiceError BAD_FLAG if the log file cannot be opened */
export async function openTranscript(context: CliContext, options: TranscriptOptions): Promise<Transcript> {
  const make = await consoleFrontends(context, { ...options, json: false, progress: false })
  // The UI owns the screen, so messages about a log file wait too.
  const complaints = new BufferedOutput()
  const files = await fileFrontends(complaints, options)
  const runs = new Map<number, StoredRun>()
  const runOf = (run: number): StoredRun => {
    const known = runs.get(run)
    if (known !== undefined) return known
    const output = new BufferedOutput()
    const made = { faces: make(output), output }
    runs.set(run, made)
    for (const old of runs.keys()) if (runs.size > KEPT_RUNS) runs.delete(old)
    return made
  }
  return {
    take: (run, event) => {
      const reported = withNext(event, options.next)
      const { faces } = runOf(run)
      for (const one of [reported, ...noteEvents(reported, options)]) {
        for (const face of [...faces, ...files]) face.event(one, false)
      }
    },
    end: async () => {
      const output = openOutput(context.stdout, context.stderr)
      for (const { faces, output: held } of runs.values()) {
        for (const face of faces) await face.close()
        held.writeTo(output)
      }
      for (const face of files) await face.close()
      complaints.writeTo(output)
      await output.flushed()
    },
  }
}
