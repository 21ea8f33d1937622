/** State of a command form, as plain data: cursor, typed values, and the parsed command or its error. */
import type { CompletionCandidate, CommandForm, FormOption, Startable } from '../../app/command-port.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { field, type TextField } from '../state/text-field.ts'

export type Form = {
  readonly of: CommandForm
  /** Typed values by option. A flag is `yes`, `no` or absent. */
  readonly values: ReadonlyMap<string, TextField>
  /** Option under the cursor. */
  readonly cursor: string
  /** First visible row of the list. */
  readonly top: number
  /** Search text: only options whose name or description contain it are shown. Null while no search is open. */
  readonly find: TextField | null
  /** Completions of the text under the cursor. */
  readonly candidates: readonly CompletionCandidate[]
  /** Index of the candidate that tab inserted. */
  readonly chosen: number | null
  /** Result of parsing the command, or the error; null until parsed. */
  readonly read: Startable | ErrorInfo | null
  /** Plan of this command, if there is space to show it. */
  readonly plan: {
    readonly command: string
    readonly state: 'reading' | 'ready' | 'failed'
    readonly lines: readonly string[]
  } | null
}

/** @param values by option; unknown options are ignored */
export function formOf(of: CommandForm, values: ReadonlyMap<string, string>): Form {
  const given = of.takes.flatMap(({ name }) => {
    const value = values.get(name)
    return value === undefined ? [] : [[name, field(value)] as const]
  })
  const empty = of.takes.find(({ name, needed }) => needed && !values.has(name))
  return {
    of,
    values: new Map(given),
    cursor: (empty ?? of.takes[0])?.name ?? '',
    top: 0,
    find: null,
    candidates: [],
    chosen: null,
    read: null,
    plan: null,
  }
}

export function typedText({ values }: Pick<Form, 'values'>, name: string): string {
  return values.get(name)?.text ?? ''
}

/** All typed texts by option. */
export function typedTexts({ values }: Pick<Form, 'values'>): ReadonlyMap<string, string> {
  return new Map([...values].map(([name, { text }]) => [name, text]))
}

/** The word being typed: in a list, the last word. */
export function typedWord({ type }: FormOption, text: string): string {
  return type === 'list' ? (/\S*$/.exec(text)?.[0] ?? '') : text
}

/** True if the command line could be parsed. */
export function isStartable(read: Form['read']): read is Startable {
  return read !== null && 'lists' in read
}

/** The option under the cursor. */
export function optionUnder({ of, cursor }: Form): FormOption | undefined {
  return of.takes.find(({ name }) => name === cursor)
}

/** True if the option takes text. */
export function isTyped({ type }: FormOption): boolean {
  return type !== 'flag' && type !== 'choice'
}

/** Visible options in screen order: required ones first. */
export function shownOptions({ of, find }: Pick<Form, 'of' | 'find'>): readonly FormOption[] {
  const wanted = (find?.text ?? '').toLowerCase()
  const fits = of.takes.filter(({ name, describe, group = '' }) =>
    `${name} ${describe} ${group}`.toLowerCase().includes(wanted),
  )
  const groups = [...new Set(fits.map(({ group }) => group))]
  const others = groups.flatMap((group) => fits.filter((option) => option.group === group && !isFirst(option)))
  return [...fits.filter(isFirst), ...others]
}

/**
 * Option that the search finds: the first whose name starts with the text. If there is none, the first whose name
 * contains the text. If no name contains it, the option under the cursor.
 */
export function foundOption(form: Pick<Form, 'of' | 'find' | 'cursor'>): string {
  const wanted = (form.find?.text ?? '').toLowerCase()
  if (wanted === '') return form.cursor
  const options = shownOptions(form)
  const by = (fits: (name: string) => boolean): string | undefined => options.find(({ name }) => fits(name))?.name
  return by((name) => name.startsWith(wanted)) ?? by((name) => name.includes(wanted)) ?? form.cursor
}

/** True if the option is listed above all groups: required options, operands, tables, databases, folders, buckets. */
export function isFirst({ name, needed, operand, completes }: FormOption): boolean {
  return needed || operand === true || name === 'table' || completes === 'database' || completes === 'folder or bucket'
}

/** The next or previous value of a flag or a choice. The values are: unset, then each value that the option offers. */
export function nextValue(option: FormOption, value: string, by: 1 | -1): string {
  const values = ['', ...(option.type === 'flag' ? flagValues(option) : (option.choices ?? []))]
  const at = Math.max(0, values.indexOf(value))
  return values[(at + by + values.length) % values.length] ?? ''
}

/** The value of a flag that differs from its default: `no` if the flag is on by default, otherwise `yes`. */
function flagValues(option: FormOption): readonly string[] {
  return (option.default ?? option.fallback) === true ? ['no'] : ['yes']
}
