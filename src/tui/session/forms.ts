/** Forms of commands: keys, and background reads while the user fills in a form. */
import type { CommandForm, CommandPort, Startable } from '../../app/command-port.ts'
import type { RunningOperation } from '../../app/workbench.ts'
import { asSluiceError, type ErrorInfo } from '../../shared/errors.ts'
import type { KeyPress } from '../../shared/terminal/key-press.ts'
import {
  formOf,
  foundOption,
  isStartable,
  isTyped,
  optionUnder,
  typedText,
  typedTexts,
  nextValue,
  typedWord,
  type Form,
} from '../form/form.ts'
import { formLayout, showsWholeError, movedForm, keepFormCursor } from '../form/layout.ts'
import { valuesFrom } from '../form/context.ts'
import { listWords, refuseEmptyOperand, valuesIn, wordsOf } from '../form/words.ts'
import { completedText, stateCandidates } from '../form/completing.ts'
import { edit, field, type TextField } from '../state/text-field.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import type { Acting, Filling } from './acting.ts'
import { askFormStart, eventLines } from '../dialogs/starting.ts'

/** Delay after the last key before the form is parsed, ms. */
const READ_MS = 150
const PLAN_MS = 700
const PLAN_LINES = 300

export class Forms implements Filling {
  readonly #s: Acting
  #readTimer: NodeJS.Timeout | null = null
  #planTimer: NodeJS.Timeout | null = null
  #planning: RunningOperation | null = null
  /** Number that each change increments: results of a read with an older number are ignored. */
  #generation = 0

  constructor(s: Acting) {
    this.#s = s
  }

  /** Opens the form of a command. @param words typed after the command */
  open(of: CommandForm, words: readonly string[]): void {
    const { state } = this.#s
    try {
      const values = valuesFrom(of, state, valuesIn(of, words))
      this.show(keepFormCursor(formOf(of, values), state.size))
    } catch (thrown) {
      this.#s.flash(asSluiceError(thrown).message, 'bad')
    }
  }

  /** Shows a form again, as the user left it. */
  show(form: Form): void {
    this.#set({ ...form, plan: null })
    this.#changed()
  }

  /** Handles one key of an open form. @returns false for keys that close it or that the keymap handles */
  press(form: Form, key: KeyPress): boolean {
    const { size } = this.#s.state
    if (form.find !== null) return this.#find(form, form.find, key)
    const option = optionUnder(form)
    switch (key.name) {
      case 'enter':
        this.#showPlan(form)
        return true
      case 'down':
      case 'up':
        this.#move(movedForm(form, key.name === 'down' ? 1 : -1, size))
        return true
      case 'shift-tab':
        this.#move(movedForm(form, -1, size))
        return true
      case 'pagedown':
      case 'pageup': {
        const page = Math.max(1, formLayout(form, size).list - 1)
        this.#move(movedForm(form, key.name === 'pagedown' ? page : -page, size))
        return true
      }
      case 'tab':
        this.#complete(form)
        return true
    }
    if (option === undefined) return false
    if (!isTyped(option)) {
      const back = key.name === 'left'
      if (back || key.name === 'right' || key.name === 'space' || key.typed === ' ')
        this.#put(form, field(nextValue(option, typedText(form, option.name), back ? -1 : 1)))
      else if (key.name === 'backspace' || key.name === 'delete' || key.name === 'ctrl-u') this.#put(form, field())
      // Letters have no effect here. Commands of the form work on every option.
      return key.name !== 'esc' && (key.name === 'ctrl-u' || !key.name.startsWith('ctrl-'))
    }
    const next = edit(form.values.get(option.name) ?? field(), key.name, key.typed)
    if (next !== null) this.#put(form, next)
    return next !== null
  }

  /** True if typed text would go into an option or the search. */
  isTyping(form: Form): boolean {
    const option = optionUnder(form)
    return form.find !== null || (option !== undefined && isTyped(option))
  }

  /** Handles a command of the form that does not edit it. */
  command(form: Form, command: KeyCommand): void {
    if (command === 'dialog.find') this.#set({ ...form, find: field() })
    else if (command === 'dialog.copy') this.#copy(form)
    else if (command === 'dialog.help') void this.#help(form)
  }

  close(): void {
    this.#generation += 1
    if (this.#readTimer !== null) clearTimeout(this.#readTimer)
    if (this.#planTimer !== null) clearTimeout(this.#planTimer)
    this.#planning?.abort()
    this.#planning = null
  }

  #find(form: Form, text: TextField, key: KeyPress): boolean {
    const { size } = this.#s.state
    if (key.name === 'enter' || key.name === 'esc') {
      this.#set(keepFormCursor({ ...form, find: null, top: 0 }, size))
      if (key.name === 'enter') this.#asked()
      return true
    }
    if (key.name === 'down' || key.name === 'up') {
      this.#set(movedForm(form, key.name === 'down' ? 1 : -1, size))
      return true
    }
    const next = edit(text, key.name, key.typed)
    if (next !== null) {
      const found = { ...form, find: next, top: 0 }
      this.#set(keepFormCursor({ ...found, cursor: foundOption(found) }, size))
    }
    return key.name !== 'ctrl-c'
  }

  #move(form: Form): void {
    this.#set(form)
    this.#asked()
  }

  #put(form: Form, value: TextField): void {
    this.#set({ ...form, values: new Map(form.values).set(form.cursor, value), chosen: null })
    this.#changed()
  }

  #complete(form: Form): void {
    const option = optionUnder(form)
    const next = option === undefined ? null : completedText(form, option)
    if (next === null) {
      this.#move(movedForm(form, 1, this.#s.state.size))
      return
    }
    this.#set({ ...form, values: new Map(form.values).set(form.cursor, field(next.text)), chosen: next.chosen })
    this.#changed(next.chosen !== null)
  }

  /** After a pause in typing: parses the form and reads completions. @param keep keep the candidates that are shown */
  #changed(keep = false): void {
    this.close()
    const turn = this.#generation
    this.#readTimer = setTimeout(() => {
      if (!keep) void this.#ask(turn)
      void this.#read(turn)
    }, READ_MS)
  }

  /** Reads completions after the cursor has moved. */
  #asked(): void {
    void this.#ask(this.#generation)
  }

  async #ask(turn: number): Promise<void> {
    const { form, commands } = this
    const option = form === null ? undefined : optionUnder(form)
    if (form === null || commands === null || option === undefined || !isTyped(option)) return
    const text = typedText(form, option.name)
    const typed = typedWord(option, text)
    const own = stateCandidates(option, typed, this.#s.state)
    const others = await commands.complete(questionFor(form, option.name, typed))
    const now = this.form
    if (turn !== this.#generation || now === null || now.cursor !== form.cursor) return
    const candidates = new Map([...others, ...own].map((one) => [one.word, one]))
    const order = new Set([...own, ...others].map(({ word }) => word))
    this.#set({ ...now, candidates: [...order].flatMap((word) => candidates.get(word) ?? []), chosen: null })
  }

  async #read(turn: number): Promise<void> {
    const { form, commands } = this
    if (form === null || commands === null) return
    const read = await readForm(form, commands)
    const now = this.form
    if (turn !== this.#generation || now === null) return
    this.#set({ ...now, read })
    if (formLayout(now, this.#s.state.size).plan === 0 || !isStartable(read)) return
    const { plan, lists } = read
    if (plan === null || lists || now.plan?.command === plan.commandLine) return
    this.#planTimer = setTimeout(() => this.#plan(turn), PLAN_MS)
  }

  /** Runs the plan shown in the form; the command itself does not start. */
  #plan(turn: number): void {
    const { form } = this
    const read = form?.read ?? null
    if (!isStartable(read) || read.plan === null) return
    const { operation, commandLine } = read.plan
    const running = this.#s.workbench.start(operation, commandLine)
    this.#planning = running
    const show = (lines: readonly string[], state: 'reading' | 'ready' | 'failed'): void => {
      const now = this.form
      if (turn === this.#generation && now !== null) this.#set({ ...now, plan: { command: commandLine, state, lines } })
    }
    show([], 'reading')
    void eventLines(this.#s, running, operation, PLAN_LINES, (lines) => show(lines, 'reading')).then(
      ({ lines, exitCode }) => {
        if (this.#planning === running) this.#planning = null
        show(lines, exitCode === 0 || exitCode === 1 ? 'ready' : 'failed')
      },
    )
  }

  /** Handles `enter`: shows the plan of the filled-in command, if it can be parsed. */
  #showPlan(form: Form): void {
    const { commands } = this
    if (commands === null) return
    this.close()
    const turn = this.#generation
    void readForm(form, commands).then((read) => {
      const now = this.form
      if (turn !== this.#generation || now === null) return
      if (isStartable(read)) askFormStart(this.#s, { ...now, read }, read)
      else if (showsWholeError(now, read, this.#s.state.size)) this.#set({ ...now, read })
      else this.#showError({ ...now, read }, read)
    })
  }

  /** Shows the full error if the form has no space for it. */
  #showError(form: Form, { message, hint }: ErrorInfo): void {
    const lines = hint === undefined ? [message] : [message, '', hint]
    this.#s.store.dispatch({
      type: 'dialog',
      dialog: { kind: 'text', title: form.of.words.join(' '), lines, top: 0, copy: lines.join('\n'), form },
    })
  }

  #copy(form: Form): void {
    const { commands } = this
    if (commands === null) return
    void readForm(form, commands).then((read) => {
      if (isStartable(read)) this.#s.copyCommand(read.commandLine)
      else this.#s.flash(`nothing is copied: ${read.message}`, 'bad')
    })
  }

  async #help(form: Form): Promise<void> {
    const text = (await this.commands?.help(form.of.words)) ?? ''
    if (this.form === null) return
    const lines = text.trimEnd().split('\n')
    this.#s.store.dispatch({
      type: 'dialog',
      dialog: { kind: 'text', title: `sluice ${form.of.words.join(' ')}`, lines, top: 0, copy: text, form },
    })
  }

  get commands(): CommandPort | null {
    return this.#s.commands
  }

  /** The open form. */
  get form(): Form | null {
    const { dialog } = this.#s.state
    return dialog?.kind === 'form' ? dialog.form : null
  }

  #set(form: Form): void {
    this.#s.store.dispatch({ type: 'dialog', dialog: { kind: 'form', form } })
  }
}

/**
 * Command line to complete: the other complete options, then the option being typed. Operands after this option are
 * left out.
 */
function questionFor(form: Form, name: string, typed: string): readonly string[] {
  const { of } = form
  const texts = new Map(typedTexts(form))
  const option = of.takes.find((one) => one.name === name)
  if (option?.operand !== true) {
    texts.delete(name)
    return [...safeWords(of, texts), `--${name}`, typed]
  }
  // Later operands are left out: the typed word would otherwise be completed as an operand after them.
  const operands = of.takes.filter((one) => one.operand === true)
  for (const { name: later } of operands.slice(operands.indexOf(option))) texts.delete(later)
  return [...safeWords(of, texts), typed]
}

function safeWords(of: CommandForm, texts: ReadonlyMap<string, string>): readonly string[] {
  const whole = new Map([...texts].filter(([name, text]) => isClosed(of, name, text)))
  return wordsOf(of, whole)
}

function isClosed({ takes }: CommandForm, name: string, text: string): boolean {
  if (takes.find((option) => option.name === name)?.type !== 'list') return true
  try {
    listWords(text)
    return true
  } catch {
    return false
  }
}

async function readForm(form: Form, commands: CommandPort): Promise<Startable | ErrorInfo> {
  try {
    const values = typedTexts(form)
    refuseEmptyOperand(form.of, values)
    return await commands.readWords(wordsOf(form.of, values))
  } catch (thrown) {
    return asSluiceError(thrown).info()
  }
}
