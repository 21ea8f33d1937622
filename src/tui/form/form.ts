/** What is filled in of a command, as plain data: which option has the cursor, what is typed, what is known of it so far. */
import type { Candidate, CommandForm, FormOption, Startable } from '../../app/command-port.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { field, type TextField } from '../state/text-field.ts'

export type Form = {
  readonly of: CommandForm
  /** What is typed, by option. A flag is `yes`, `no` or not there. */
  readonly values: ReadonlyMap<string, TextField>
  /** Option under the cursor. */
  readonly cursor: string
  /** First row of the list in sight. */
  readonly top: number
  /** Options whose name or description hold it; null while nobody looks for one. */
  readonly find: TextField | null
  /** What the text under the cursor may become. */
  readonly candidates: readonly Candidate[]
  /** The one that tab has put in. */
  readonly chosen: number | null
  /** What the command line reads there, or why it cannot; null until it has. */
  readonly read: Startable | ErrorInfo | null
  /** Lines of the plan of these words, where there is room for them. */
  readonly plan: {
    readonly command: string
    readonly state: 'reading' | 'ready' | 'failed'
    readonly lines: readonly string[]
  } | null
}

/** @param values by option; those that the command does not take are left out */
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

export function textOf({ values }: Pick<Form, 'values'>, name: string): string {
  return values.get(name)?.text ?? ''
}

/** Everything that is typed, by option. */
export function textsOf({ values }: Pick<Form, 'values'>): ReadonlyMap<string, string> {
  return new Map([...values].map(([name, { text }]) => [name, text]))
}

/** The word that is being typed: of a list the last one. */
export function typedWord({ type }: FormOption, text: string): string {
  return type === 'list' ? (/\S*$/.exec(text)?.[0] ?? '') : text
}

/** Whether the command line could read it. */
export function isStartable(read: Form['read']): read is Startable {
  return read !== null && 'lists' in read
}

/** The option under the cursor. */
export function optionUnder({ of, cursor }: Form): FormOption | undefined {
  return of.takes.find(({ name }) => name === cursor)
}

/** Whether letters are typed into it. */
export function isTyped({ type }: FormOption): boolean {
  return type !== 'flag' && type !== 'choice'
}

/** Options in sight, in the order of the screen: what is needed first. */
export function shownOptions({ of, find }: Pick<Form, 'of' | 'find'>): readonly FormOption[] {
  const wanted = (find?.text ?? '').toLowerCase()
  const fits = of.takes.filter(({ name, describe, group = '' }) =>
    `${name} ${describe} ${group}`.toLowerCase().includes(wanted),
  )
  const groups = [...new Set(fits.map(({ group }) => group))]
  const others = groups.flatMap((group) => fits.filter((option) => option.group === group && !isFirst(option)))
  return [...fits.filter(isFirst), ...others]
}

/** The option that is most likely looked for: by the beginning of its name, by a part of it, then by what is said of it. */
export function foundOption(form: Pick<Form, 'of' | 'find' | 'cursor'>): string {
  const wanted = (form.find?.text ?? '').toLowerCase()
  if (wanted === '') return form.cursor
  const options = shownOptions(form)
  const by = (fits: (name: string) => boolean): string | undefined => options.find(({ name }) => fits(name))?.name
  return by((name) => name.startsWith(wanted)) ?? by((name) => name.includes(wanted)) ?? form.cursor
}

/** Whether it stands above all groups: what is needed, and what it is about. */
export function isFirst({ name, needed, operand, completes }: FormOption): boolean {
  return needed || operand === true || name === 'table' || completes === 'database' || completes === 'folder or bucket'
}

/** The next value of what is not typed: of a flag not said, yes, no; of a choice not said, then each. */
export function turned(option: FormOption, value: string, by: 1 | -1): string {
  const values = ['', ...(option.type === 'flag' ? flagValues(option) : (option.choices ?? []))]
  const at = Math.max(0, values.indexOf(value))
  return values[(at + by + values.length) % values.length] ?? ''
}

/** A flag that is off without being said is only ever turned on, and the other way round. */
function flagValues(option: FormOption): readonly string[] {
  return (option.default ?? option.fallback) === true ? ['no'] : ['yes']
}
