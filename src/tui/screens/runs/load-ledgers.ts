/**
 * A run read from the ledger of its target, refreshed while its dialog is open. For runs on other machines there is no
 * other source.
 */
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { CopyChunkEvent, CopyRunEvent, Dec } from '../../../model/run/event.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { ledgerRunText } from '../run/run-texts.ts'
import { copyRunsOf } from '../../session/operations.ts'

const AGAIN_MS = 4000
/** Maximum number of listed chunks; failed ones are listed first. */
const CHUNKS = 20
/** Number of newest runs that are searched for a run that is known only by its id. */
const FOUND_AMONG = 500

export class LedgerPicture {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  #asking: RunningOperation | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>) {
    this.#workbench = workbench
    this.#store = store
  }

  /** Shows the run, and refreshes it until the dialog is closed. */
  open(run: CopyRunEvent, url: string): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#show(run, url, {}, [])
    this.#ask(run, url)
  }

  /**
   * As `open`, for a run known only by its id.
   * @param before shown until the ledger has answered
   */
  openById(before: CopyRunEvent, url: string): void {
    if (this.#asking !== null || this.#closed) return
    this.#show(before, url, {}, [])
    const { operation, commandLine } = copyRunsOf(url, FOUND_AMONG)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking = running
    let run: CopyRunEvent = { ...before, status: 'not in this ledger' }
    running.subscribe((event) => {
      if (event.type === 'copy.run' && event.run === before.run) run = event
      if (event.type === 'run.finished' && event.error !== undefined)
        run = { ...before, status: 'not read', error: event.error.message }
    })
    void running.done.then(() => {
      this.#asking = null
      if (!this.#closed && this.#isSeen(run)) this.open(run, url)
    })
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#asking?.abort()
  }

  #ask(before: CopyRunEvent, url: string): void {
    if (this.#asking !== null || this.#closed) return
    const { operation, commandLine } = copyRunsOf(url, CHUNKS, before.run)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking = running
    const chunks: CopyChunkEvent[] = []
    let run = before
    let totals: Readonly<Record<string, Dec>> = {}
    running.subscribe((event) => {
      if (event.type === 'copy.chunk') chunks.push(event)
      if (event.type === 'copy.run') run = event
      if (event.type === 'run.finished') totals = event.totals
    })
    void running.done.then(() => {
      this.#asking = null
      if (this.#closed || !this.#isSeen(run)) return
      this.#show(run, url, totals, chunks)
      this.#timer = setTimeout(() => {
        if (this.#isSeen(run)) this.#ask(run, url)
      }, AGAIN_MS).unref()
    })
  }

  #isSeen({ run }: CopyRunEvent): boolean {
    const { dialog } = this.#store.get()
    return dialog?.kind === 'text' && dialog.title === titleOf(run)
  }

  #show(
    run: CopyRunEvent,
    url: string,
    totals: Readonly<Record<string, Dec>>,
    chunks: readonly CopyChunkEvent[],
  ): void {
    const { dialog } = this.#store.get()
    const title = titleOf(run.run)
    const top = dialog?.kind === 'text' && dialog.title === title ? dialog.top : 0
    const lines = ledgerRunText(run, url, totals, chunks)
    this.#store.dispatch({ type: 'dialog', dialog: { kind: 'text', title, lines, top, copy: run.run } })
  }
}

const titleOf = (run: Dec): string => `run ${run}`
