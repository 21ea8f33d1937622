/** Keys of the Ask screen: printable keys go to the editor, others through the keymap. */
import type { Answering, AskQuestion } from '../../../app/ask/port.ts'
import type { Workbench } from '../../../app/workbench.ts'
import { isoTime, type Clock } from '../../../shared/clock.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { fieldText, withoutControls } from '../../../shared/terminal/field-text.ts'
import { LONGEST_PASTE } from '../../../shared/terminal/input-grammar.ts'
import type { KeyPress } from '../../../shared/terminal/key-press.ts'
import { visible } from '../../../shared/visible.ts'
import { shownCount, amount } from '../../../render/screen-format.ts'
import type { KeyCommand } from '../../keymap/bindings.ts'
import type { Action } from '../../state/action.ts'
import { commonBeginning, offersFor } from './ask-complete.ts'
import { edited, insertText, isAtEnd, replaceAll, replaceBefore, editorText, type Editor } from './ask-editor.ts'
import { grownWidths, missingRows, movedInGrid } from './ask-grid.ts'
import { historyFound, currentAskPlace, placesFound } from './ask-places.ts'
import { isAsking, openedBox, placeKey, withProgress, withQuestion, type AskState } from './state.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { edit } from '../../state/text-field.ts'
import { AskSaving } from './ask-saving.ts'
import { wholeError } from '../../session/reach.ts'

/** Longest value shown in full, in characters; longer ones are cut. */
const SHOWN_CHARS = 200_000
export class AskSession {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #clock: Pick<Clock, 'now'>
  readonly #flash: (text: string, tone?: 'plain' | 'ok' | 'bad') => void
  #answering: Answering | null = null
  #asked = 0
  #isLoading = false
  /**
   * True after the warning that a second ctrl-c stops the active run or leaves the UI. The first ctrl-c only warns,
   * because the statement may have ended just before it.
   */
  #leaves = false
  readonly #saving: AskSaving
  readonly #reading = new Set<string>()

  constructor(
    workbench: Workbench,
    store: Store<State, Action>,
    clock: Pick<Clock, 'now'>,
    flash: (text: string, tone?: 'plain' | 'ok' | 'bad') => void,
  ) {
    this.#workbench = workbench
    this.#store = store
    this.#clock = clock
    this.#flash = flash
    this.#saving = new AskSaving(workbench, store, flash)
  }

  /** Reads the history when the screen is first shown, and rows that scroll into view. */
  loadVisible(): void {
    const state = this.#store.get()
    if (state.screen !== 'ask') return
    if (state.ask.history === null && !this.#reading.has('history')) {
      this.#reading.add('history')
      void this.#workbench.asking.history().then((history) => this.#set({ history }))
    }
    void this.#load()
  }

  /**
   * Inserts pasted text with its line ends, never as commands. @returns false if no text field of this screen is open
   */
  paste(text: string): boolean {
    const state = this.#store.get()
    if (!this.#isTyping(state)) return false
    const { editor, box } = state.ask
    if (box !== null) this.press({ name: 'paste', typed: fieldText(text) })
    else if (editorText(editor).length + text.length > LONGEST_PASTE) this.#flash('the statement would be too long')
    else this.#edited(insertText(editor, withoutControls(text)))
    return true
  }

  get isTyping(): boolean {
    return this.#isTyping(this.#store.get())
  }

  /** @returns true if the editor or an open list used the key */
  press(key: KeyPress): boolean {
    const state = this.#store.get()
    if (key.name !== 'ctrl-c') this.#leaves = false
    if (state.screen === 'ask' && state.prompt?.kind === 'ask-save' && key.name === 'tab') {
      void this.#saving.complete()
      return true
    }
    if (!this.#isTyping(state)) return false
    return state.ask.box === null ? this.#typed(state, key) : this.#inBox(state, key)
  }

  /** Handles ctrl-c: cancels a running statement, or warns once if none runs. @returns true if the key was used */
  interrupt(): boolean {
    const state = this.#store.get()
    if (state.screen !== 'ask') return false
    if (!isAsking(state.ask)) return this.#warnOnce(state)
    if (state.ask.answer?.progress.state === 'cancelling')
      this.#flash('still cancelling: the server has not ended the statement yet; esc and q leave this screen')
    else this.#answering?.cancel()
    return true
  }

  #warnOnce({ ask }: State): boolean {
    if (this.#leaves || ask.answer === null) return false
    this.#leaves = true
    this.#flash('no statement runs; ctrl-c again stops the active run, or leaves')
    return true
  }

  /** Executes a command of this screen. @returns false for other commands */
  run(command: KeyCommand): boolean {
    const state = this.#store.get()
    switch (command) {
      case 'ask.run':
        this.#ask(false)
        return true
      case 'ask.explain':
        this.#ask(true)
        return true
      case 'ask.cancel':
        this.#answering?.cancel()
        return true
      case 'ask.places':
      case 'ask.history':
        this.#set({ box: openedBox(command === 'ask.places' ? 'places' : 'history') })
        return true
      case 'ask.value':
        void this.#openValue(state, false)
        return true
      case 'ask.copy':
        void this.#openValue(state, true)
        return true
      case 'ask.left':
      case 'ask.right':
        this.#put(movedInGrid(state, command === 'ask.left' ? 'left' : 'right').ask)
        return true
      case 'ask.pane':
        this.#set({ pane: state.ask.pane === 'editor' ? 'grid' : 'editor' })
        // The message is needed because the screen does not show that letters are now keys.
        if (state.ask.pane === 'editor' && state.ask.answer === null)
          this.#flash('there are no rows yet: i returns to the editor, esc leaves this screen')
        return true
      default:
        return false
    }
  }

  /** Saves the answer to the typed path. */
  async save(typed: string): Promise<void> {
    if (this.#answering !== null) await this.#saving.save(this.#answering, typed)
  }

  /** Ends the running statement; the workbench waits for its thread. */
  close(): void {
    void this.#answering?.close()
  }

  #isTyping(state: State): boolean {
    const isFree = state.dialog === null && state.prompt === null
    return state.screen === 'ask' && isFree && (state.ask.pane === 'editor' || state.ask.box !== null)
  }

  #typed({ ask }: State, { name, typed }: KeyPress): boolean {
    if (name === 'tab') {
      this.#complete()
      return true
    }
    if (name === 'enter' && editorText(ask.editor).trimEnd().endsWith(';') && isAtEnd(ask.editor)) {
      this.#ask(false)
      return true
    }
    const next = edited(ask.editor, name, typed)
    if (next !== null) {
      this.#edited(next)
      return true
    }
    if (name === 'up' || name === 'down') {
      this.#recall(name === 'up' ? 1 : -1)
      return true
    }
    return false
  }

  #inBox(state: State, { name, typed }: KeyPress): boolean {
    const { box } = state.ask
    if (box === null || name === 'ctrl-c') return false
    const total =
      box.kind === 'offers'
        ? box.offers.length
        : box.kind === 'places'
          ? placesFound(state, box.field.text).length
          : historyFound(state.ask.history, box.field.text).length
    const isNext = name === 'down' || name === 'tab'
    if (isNext || name === 'up' || name === 'shift-tab') {
      this.#set({ box: { ...box, cursor: (box.cursor + (isNext ? 1 : -1) + total) % Math.max(1, total) } })
    } else if (name === 'esc') this.#set({ box: null })
    else if (name === 'enter') this.#take(state)
    else if (box.kind === 'offers') {
      this.#set({ box: null })
      if (!this.press({ name, typed })) return false
      // The list is open and another character was typed: it narrows the list.
      if (/^[\w.$]$/.test(typed)) this.#offer(false)
    } else {
      const next = edit(box.field, name, typed)
      if (next !== null) this.#set({ box: { ...box, field: next, cursor: 0 } })
    }
    return true
  }

  #take(state: State): void {
    const { box, editor } = state.ask
    if (box === null) return
    this.#set({ box: null })
    if (box.kind === 'offers') {
      const offer = box.offers[box.cursor]
      if (offer !== undefined) this.#edited(replaceBefore(editor, box.length, offer.text))
    } else if (box.kind === 'places') {
      const place = placesFound(state, box.field.text)[box.cursor]
      if (place !== undefined) this.#set({ place, pane: 'editor' })
    } else {
      const asked = historyFound(state.ask.history, box.field.text)[box.cursor]
      if (asked !== undefined) this.#set({ editor: replaceAll(editor, asked.sql), pane: 'editor', recalled: null })
    }
  }

  #recall(by: number): void {
    const { ask } = this.#store.get()
    const history = historyFound(ask.history, '')
    const next = (ask.recalled ?? -1) + by
    if (next >= history.length || (ask.recalled === null && by < 0)) return
    const draft = ask.recalled === null ? editorText(ask.editor) : ask.draft
    const text = next < 0 ? draft : (history[next]?.sql ?? '')
    this.#set({ editor: replaceAll(ask.editor, text), recalled: next < 0 ? null : next, draft })
  }

  #complete(): void {
    const state = this.#store.get()
    const place = currentAskPlace(state)
    if (place !== null && !state.ask.relations.has(placeKey(place))) void this.#readNames()
    else this.#offer(true)
  }

  /** @param insert true: inserts the common prefix, or the only candidate in full */
  #offer(insert: boolean): void {
    const state = this.#store.get()
    const place = currentAskPlace(state)
    const relations = place === null ? [] : (state.ask.relations.get(placeKey(place)) ?? [])
    const { offers, length } = offersFor(state.ask.editor, relations)
    if (offers.length === 0) {
      if (insert) this.#flash('no known name begins with this')
      return
    }
    const common = commonBeginning(offers.map(({ text }) => text))
    if (insert && common.length > length) {
      const editor = replaceBefore(state.ask.editor, length, common)
      this.#set({
        editor,
        box: offers.length === 1 ? null : { kind: 'offers', offers, cursor: 0, length: common.length },
      })
    } else this.#set({ box: { kind: 'offers', offers, cursor: 0, length } })
  }

  async #readNames(): Promise<void> {
    const place = currentAskPlace(this.#store.get())
    const { editor } = this.#store.get().ask
    if (place === null || this.#reading.has(placeKey(place))) return
    const key = placeKey(place)
    this.#reading.add(key)
    this.#flash('reading the names of tables and columns …')
    try {
      const found = await this.#workbench.asking.relations(place)
      this.#set({ relations: new Map(this.#store.get().ask.relations).set(key, found) })
      const { ask } = this.#store.get()
      if (ask.editor === editor && ask.box === null) this.#offer(true)
      else this.#flash(`${amount(found.length, 'table')} known now: tab completes names`)
    } catch (thrown) {
      this.#flash(wholeError(asSluiceError(thrown)), 'bad')
    } finally {
      this.#reading.delete(key)
    }
  }

  #ask(explain: boolean): void {
    const state = this.#store.get()
    const place = currentAskPlace(state)
    const sql = editorText(state.ask.editor).trim()
    if (place === null) return this.#flash('nothing can be asked: no catalog and no database is open', 'bad')
    if (sql === '') return this.#flash('type a statement first')
    if (isAsking(state.ask)) return this.#flash('a statement runs: ctrl-c cancels it')
    const before = this.#answering
    const question: AskQuestion = { place, sql, explain }
    const id = ++this.#asked
    // Closes the previous answer, to delete its file.
    void before?.close()
    const answering = this.#workbench.asking.ask(question)
    this.#answering = answering
    this.#put({ ...withQuestion(state.ask, id, question), place })
    answering.subscribe((progress) => {
      const { ask } = this.#store.get()
      const next = withProgress(ask, id, progress)
      const names = progress.columns ?? []
      this.#put(names.length === next.widths.length ? next : { ...next, widths: grownWidths([], names, []) })
    })
    void this.#remember(question)
  }

  async #remember({ place, sql }: AskQuestion): Promise<void> {
    const asked = { at: isoTime(this.#clock.now()), place, sql }
    const { history } = this.#store.get().ask
    if (history?.at(-1)?.sql === sql && placeKey(history.at(-1)?.place ?? place) === placeKey(place)) return
    if (await this.#workbench.asking.remember(asked))
      this.#set({ history: [...(this.#store.get().ask.history ?? []), asked] })
  }

  /** Reads one window at a time, so that a held key does not queue many reads. */
  async #load(): Promise<void> {
    const state = this.#store.get()
    const missing = missingRows(state)
    const { answer } = state.ask
    if (missing === null || this.#isLoading || this.#answering === null || answer === null) return
    this.#isLoading = true
    const rows = await this.#answering.window(missing.from, missing.count).catch(() => [])
    this.#isLoading = false
    const { ask } = this.#store.get()
    // These rows belong to an earlier answer.
    if (ask.answer?.id !== answer.id) return void this.#load()
    if (rows.length === 0) return
    const widths = grownWidths(ask.widths, ask.answer.progress.columns ?? [], rows)
    this.#put({ ...ask, window: { from: missing.from, rows }, widths })
  }

  async #openValue({ ask }: State, copies: boolean): Promise<void> {
    const { row, column } = ask.at
    const name = visible(ask.answer?.progress.columns?.[column] ?? '')
    const cell = await this.#answering?.cell(row, column).catch(() => null)
    if (cell === undefined) return
    const kind = cell === null ? 'NULL' : cell.kind
    const text = cell === null ? '' : cell.text.slice(0, SHOWN_CHARS)
    const isCut = cell !== null && (!cell.whole || text.length < cell.text.length)
    const size = cell === null ? '' : ` · ${shownCount(cell.text.length)}${cell.whole ? '' : ' and more'} characters`
    const lines = cell === null ? ['NULL: there is no value'] : text.split('\n').map(visible)
    if (isCut) lines.push('', `… the rest is left out here; w saves all of the answer`)
    const title = `${name} · row ${shownCount(row + 1)} · ${kind}${size}`
    const dialog = { kind: 'text', title, lines, top: 0, copy: cell?.text ?? '' } as const
    if (copies) this.copy?.(cell?.text ?? '', `${name} of row ${shownCount(row + 1)}`)
    else this.#store.dispatch({ type: 'dialog', dialog })
  }

  /** Copies a text to the clipboard. */
  copy: ((text: string, what: string) => void) | null = null

  #edited(editor: Editor): void {
    const { ask } = this.#store.get()
    this.#set({ editor, recalled: editor.lines === ask.editor.lines ? ask.recalled : null })
  }

  #set(change: Partial<AskState>): void {
    this.#put({ ...this.#store.get().ask, ...change })
  }

  #put(ask: AskState): void {
    this.#store.dispatch({ type: 'ask', ask })
  }
}
