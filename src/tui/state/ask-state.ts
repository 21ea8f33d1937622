/** The Ask screen as plain data: what is typed, what was answered, and where one is in it. */
import {
  JUST_ASKED,
  type Asked,
  type AskCell,
  type AskPlace,
  type AskProgress,
  type AskQuestion,
  type AskRelation,
} from '../../app/ask/port.ts'
import { editorOf, type Editor } from './ask-editor.ts'
import { field, type TextField } from './text-field.ts'

export type Offer = { readonly text: string; readonly meaning: string }

/** A list that is open over the screen. */
export type AskBox =
  | { readonly kind: 'places' | 'history'; readonly field: TextField; readonly cursor: number }
  | {
      readonly kind: 'offers'
      readonly offers: readonly Offer[]
      readonly cursor: number
      /** Units before the caret that an offer takes the place of. */
      readonly length: number
    }

export type AnswerShown = {
  /** Of this program's statements, counted from 1. */
  readonly id: number
  readonly question: AskQuestion
  readonly progress: AskProgress
}

/** Rows that are here, of those that the answer has. */
export type RowWindow = { readonly from: number; readonly rows: readonly (readonly AskCell[])[] }

export type GridPlace = {
  readonly row: number
  readonly top: number
  readonly column: number
  /** First column on screen. */
  readonly left: number
}

export type AskState = {
  /** Null until something is chosen: then it is the first that can be asked. */
  readonly place: AskPlace | null
  readonly editor: Editor
  readonly pane: 'editor' | 'grid'
  readonly box: AskBox | null
  readonly answer: AnswerShown | null
  readonly window: RowWindow
  /** Cells that each column takes: they grow with what is seen, and never jump back. */
  readonly widths: readonly number[]
  readonly at: GridPlace
  /** Oldest first; null until it is read. */
  readonly history: readonly Asked[] | null
  /** Which of the history stands in the editor, counted from its end; null for what is typed. */
  readonly recalled: number | null
  /** What was typed before the history was looked through. */
  readonly draft: string
  /** What can be named, by the key of the place. */
  readonly relations: ReadonlyMap<string, readonly AskRelation[]>
  /** What became of the file that was asked for last. */
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

/** A statement that has just been sent. */
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

/** What an answer says of itself; nothing of an answer that is no longer shown. */
export function withProgress(ask: AskState, id: number, progress: AskProgress): AskState {
  return ask.answer?.id === id ? { ...ask, answer: { ...ask.answer, progress } } : ask
}

/** A list with nothing typed yet. */
export function openedBox(kind: 'places' | 'history'): AskBox {
  return { kind, field: field(), cursor: 0 }
}

/** Whether a statement runs now, or is being cancelled. */
export function isAsking({ answer }: AskState): boolean {
  return answer !== null && answer.progress.state !== 'done'
}

/** One text for a place: to find names that are known of it, and to tell places apart. */
export function placeKey(place: AskPlace): string {
  return place.kind === 'archive' ? `archive ${place.url} ${place.table}` : `${place.kind} ${place.url}`
}
