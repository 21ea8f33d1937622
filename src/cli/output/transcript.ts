/**
 * Text that stays in the scrollback after the terminal UI has closed: for each run, the lines that the same command
 * prints without the UI. Log files are written during the run.
 */
import type { Event } from '../../model/run/event.ts'
import { noteEvents, withNext, type StartTexts } from './start-texts.ts'
import type { Frontend } from './frontend.ts'
import { consoleFrontends, fileFrontends, type FrontendOptions } from './frontends.ts'
import { openOutput, type Output } from './output.ts'
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

// An output that is written later, in order. Long output is bounded by dropping its middle.

type Piece = { readonly side: 'data' | 'talk'; readonly text: string }

/** Number of characters that are kept of the beginning, and of the end. */
const KEPT_CHARACTERS = 2_000_000

class BufferedOutput implements Output {
  readonly #first: Piece[] = []
  readonly #last: Piece[] = []
  #firstLength = 0
  #lastLength = 0
  #leftOut = 0
  readonly congested = false
  readonly gone = false

  data(text: string): void {
    this.#store({ side: 'data', text })
  }

  talk(text: string): void {
    this.#store({ side: 'talk', text })
  }

  flushed(): Promise<void> {
    return Promise.resolve()
  }

  failure(): null {
    return null
  }

  /** Writes the stored output to `output`. */
  writeTo(output: Output): void {
    for (const piece of this.#first) output[piece.side](piece.text)
    if (this.#leftOut > 0)
      output.talk(`     ... ${this.#leftOut} pieces of output are left out here; --log-file keeps all of it\n`)
    for (const piece of this.#last) output[piece.side](piece.text)
  }

  #store(piece: Piece): void {
    if (this.#lastLength === 0 && this.#firstLength < KEPT_CHARACTERS) {
      this.#first.push(piece)
      this.#firstLength += piece.text.length
      return
    }
    this.#last.push(piece)
    this.#lastLength += piece.text.length
    if (this.#lastLength <= 2 * KEPT_CHARACTERS) return
    // Drop many pieces at once, because each single removal would move all later pieces.
    let from = 0
    while (this.#lastLength > KEPT_CHARACTERS) {
      this.#lastLength -= this.#last[from]?.text.length ?? 0
      from += 1
    }
    this.#last.splice(0, from)
    this.#leftOut += from
  }
}
