/** Messages between the UI and the thread of one result. Plain data only. */
import type { ErrorInfo, ErrorKind } from '../../shared/errors.ts'
import type { AskPlace, AskProgress, AskQuestion, SaveOptions } from '../ask/port.ts'

/** A statement whose result the thread keeps, or a request for the names that statements can use. */
export type AskStart = { readonly question: AskQuestion } | { readonly relations: AskPlace }

export type AskOrder =
  | { readonly type: 'cancel' | 'close' }
  | { readonly type: 'window'; readonly id: number; readonly from: number; readonly count: number }
  | { readonly type: 'cell'; readonly id: number; readonly row: number; readonly column: number }
  | { readonly type: 'save'; readonly id: number; readonly options: SaveOptions }

export type AskMessage =
  | { readonly type: 'progress'; readonly progress: AskProgress }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorInfo; readonly kind: ErrorKind }
  | { readonly type: 'closed' }
