/** What is steered over a control socket. */
import { dec, type EventBody } from '../../model/run/event.ts'
import type { Wish } from './operation.ts'

export type Steered = {
  /** As the socket reports it. */
  state(): Readonly<Record<string, unknown>>
  /** The request as it will be applied. @throws SluiceError BAD_FLAG if it cannot be applied */
  checked(wish: Wish): Wish
  /** Applies a request. @throws SluiceError as `checked` */
  heed(wish: Wish): void
}

/** The event for an applied request. */
export function steeredEvent(wish: Wish): Extract<EventBody, { type: 'run.steered' | 'table.steered' }> {
  switch (wish.act) {
    case 'hold':
      return { type: 'run.steered', paused: wish.held }
    case 'stop':
      return { type: 'run.steered', stopping: true }
    case 'workers':
      return { type: 'run.steered', workers: wish.workers }
    case 'lanes':
      return { type: 'run.steered', lanes: wish.lanes }
    case 'rate':
      return { type: 'run.steered', rate: wish.rate === null ? null : dec(wish.rate) }
    default: {
      const { act, table, chunk } = wish
      return { type: 'table.steered', table, ...(chunk === undefined ? {} : { chunk }), act }
    }
  }
}
