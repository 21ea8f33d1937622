/** What crosses between the UI and the thread that holds one answer. Plain data only. */
import type { ErrorInfo, ErrorKind } from '../../shared/errors.ts'
import type { AskPlace, AskProgress, AskQuestion, SaveWish } from '../ask/port.ts'

/** A statement whose answer is held, or a look at what can be named. */
export type AskStart = { readonly question: AskQuestion } | { readonly relations: AskPlace }

export type AskOrder =
  | { readonly type: 'cancel' | 'close' }
  | { readonly type: 'window'; readonly id: number; readonly from: number; readonly count: number }
  | { readonly type: 'cell'; readonly id: number; readonly row: number; readonly column: number }
  | { readonly type: 'save'; readonly id: number; readonly wish: SaveWish }

export type AskMessage =
  | { readonly type: 'progress'; readonly progress: AskProgress }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorInfo; readonly kind: ErrorKind }
  | { readonly type: 'closed' }
