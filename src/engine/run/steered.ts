/** Interface of a run that is steered over a control socket. */
import { dec, type EventBody } from '../../model/run/event.ts'
import type { SteeringRequest } from './operation.ts'

export type Steered = {
  /** State that the socket reports. */
  state(): Readonly<Record<string, unknown>>
  /** The request as it will be applied. @throws SluiceError BAD_FLAG if it cannot be applied */
  checked(request: SteeringRequest): SteeringRequest
  /** Applies a request. @throws SluiceError as `checked` */
  honour(request: SteeringRequest): void
}

/** The event for an applied request. */
export function steeredEvent(request: SteeringRequest): Extract<EventBody, { type: 'run.steered' | 'table.steered' }> {
  switch (request.act) {
    case 'hold':
      return { type: 'run.steered', paused: request.held }
    case 'stop':
      return { type: 'run.steered', stopping: true }
    case 'workers':
      return { type: 'run.steered', workers: request.workers }
    case 'lanes':
      return { type: 'run.steered', lanes: request.lanes }
    case 'rate':
      return { type: 'run.steered', rate: request.rate === null ? null : dec(request.rate) }
    default: {
      const { act, table, chunk } = request
      return { type: 'table.steered', table, ...(chunk === undefined ? {} : { chunk }), act }
    }
  }
}
