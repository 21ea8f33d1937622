/** State of the Ask screen, as plain data: editor, answer and cursor. */
import {
  JUST_ASKED,
  type AskedStatement,
  type AskCell,
  type AskPlace,
  type AskProgress,
  type AskQuestion,
  type AskRelation,
} from '../../../app/ask/port.ts'
import { editorOf, type Editor } from './ask-editor.ts'
import { field, type TextField } from '../../state/text-field.ts'

export type Offer = { readonly text: string; readonly meaning: string }

/** An open list over the screen. */
export type AskBox =
  | { readonly kind: 'places' | 'history'; readonly field: TextField; readonly cursor: number }
  | {
      readonly kind: 'offers'
      readonly offers: readonly Offer[]
      readonly cursor: number
      /** Number of UTF-16 units before the caret that the offer replaces. */
      readonly length: number
    }

export type AnswerShown = {
  /** Statement number in this program, from 1. */
  readonly id: number
  readonly question: AskQuestion
  readonly progress: AskProgress
}

/** Loaded rows of the answer. */
export type RowWindow = { readonly from: number; readonly rows: readonly (readonly AskCell[])[] }

export type GridPlace = {
  readonly row: number
  readonly top: number
  readonly column: number
  /** First visible column. */
  readonly left: number
}

export type AskState = {
  /** Null if the user has not chosen a place: the default applies, see `currentAskPlace`. */
  readonly place: AskPlace | null
  readonly editor: Editor
  readonly pane: 'editor' | 'grid'
  readonly box: AskBox | null
  readonly answer: AnswerShown | null
  readonly window: RowWindow
  /** Width of each column in cells; widths grow with the loaded rows, and never shrink. */
  readonly widths: readonly number[]
  readonly at: GridPlace
  /** Past statements, oldest first; null until read. */
  readonly history: readonly AskedStatement[] | null
  /** Which history entry is in the editor, counted from the newest; null for typed text. */
  readonly recalled: number | null
  /** Typed text before the history was used. */
  readonly draft: string
  /** Known relations, by place key. */
  readonly relations: ReadonlyMap<string, readonly AskRelation[]>
  /** Result of the last save. */
  readonly saved: string | null
}

const NO_WINDOW: RowWindow = { from: 0, rows: [] }
const TOP: GridPlace = { row: 0, top: 0, column: 0, left: 0 }

export const FRESH_ASK: AskState = {
  place: null,
  editor: editorOf(''),
  pane: 'editor',
  box: null,
  answer: null,
  window: NO_WINDOW,
  widths: [],
  at: TOP,
  history: null,
  recalled: null,
  draft: '',
  relations: new Map(),
  saved: null,
}

/** The state after a statement was sent. */
export function withQuestion(ask: AskState, id: number, question: AskQuestion): AskState {
  const box = null
  return {
    ...ask,
    answer: { id, question, progress: JUST_ASKED },
    window: NO_WINDOW,
    widths: [],
    at: TOP,
    box,
    recalled: null,
    saved: null,
  }
}

/** Progress of the shown answer; progress of an older answer is ignored. */
export function withProgress(ask: AskState, id: number, progress: AskProgress): AskState {
  return ask.answer?.id === id ? { ...ask, answer: { ...ask.answer, progress } } : ask
}

/** A list with an empty search field. */
export function openedBox(kind: 'places' | 'history'): AskBox {
  return { kind, field: field(), cursor: 0 }
}

/** True if a statement is running or being cancelled. */
export function isAsking({ answer }: AskState): boolean {
  return answer !== null && answer.progress.state !== 'done'
}

/** Unique text of a place, used as a key. */
export function placeKey(place: AskPlace): string {
  return place.kind === 'archive' ? `archive ${place.url} ${place.table}` : `${place.kind} ${place.url}`
}
