/** Converts form values to command-line words, and back. */
import type { CommandForm, FormOption } from '../../app/command-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'

/**
 * @returns words without `sluice`, as a shell passes them; @throws SluiceError BAD_FLAG for a list with an open quote
 */
export function wordsOf(of: CommandForm, values: ReadonlyMap<string, string>): readonly string[] {
  const said = of.takes.flatMap((option) => {
    const value = values.get(option.name) ?? ''
    return value === '' ? [] : [{ option, parts: partsOf(option, value) }]
  })
  const flags = said
    .filter(({ option }) => option.operand !== true)
    .flatMap(({ option, parts }) => flagWords(option, parts))
  const operands = said.filter(({ option }) => option.operand === true).flatMap(({ parts }) => parts)
  const isDashed = operands.some((word) => word.startsWith('-'))
  return isDashed ? [...of.words, ...flags, '--', ...operands] : [...of.words, ...operands, ...flags]
}

/**
 * Refuses an empty operand before a filled one: operands are identified by their position, so the filled operand would
 * take the position of the empty one.
 * @throws SluiceError BAD_FLAG that names the missing operands
 */
export function refuseEmptyOperand({ takes }: CommandForm, values: ReadonlyMap<string, string>): void {
  const operands = takes.filter(({ operand }) => operand === true)
  const last = operands.findLastIndex(({ name }) => (values.get(name) ?? '') !== '')
  const gaps = operands.slice(0, last).filter(({ name }) => (values.get(name) ?? '') === '')
  if (gaps.length === 0) return
  const names = gaps.map(({ name }) => name.toUpperCase()).join(' and ')
  throw new SluiceError('BAD_FLAG', `${names} ${gaps.length === 1 ? 'is' : 'are'} missing`, {
    hint: `fill in ${names}`,
  })
}

/** A list has several words, separated by blanks. */
function partsOf({ type }: FormOption, value: string): readonly string[] {
  return type === 'list' ? listWords(value) : [value]
}

/** A quoted text, an escaped character, blanks, or plain text. */
const PIECES =
  /'(?<single>[^']*)'|"(?<double>(?:[^"\\]|\\[^])*)"|\\(?<escaped>[^])|(?<blank>\s+)|(?<plain>[^\s'"\\]+)/gy

/**
 * Splits a typed list into words; blanks within quotes do not split. `$` and `*` have no special meaning, because no
 * shell is used.
 * @throws SluiceError BAD_FLAG for an open quote
 */
export function listWords(text: string): readonly string[] {
  const words: string[] = []
  let word: string | null = null
  PIECES.lastIndex = 0
  while (PIECES.lastIndex < text.length) {
    const at = PIECES.lastIndex
    const found = PIECES.exec(text)?.groups
    if (found === undefined)
      throw new SluiceError('BAD_FLAG', `a quote is not closed: ${text.slice(at, at + 20)}`, {
        hint: 'close the quote',
      })
    const { single, double, escaped, blank, plain } = found
    if (blank === undefined)
      word = (word ?? '') + (single ?? double?.replaceAll(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? '')
    else if (word !== null) {
      words.push(word)
      word = null
    }
  }
  return word === null ? words : [...words, word]
}

function flagWords({ name, type }: FormOption, parts: readonly string[]): readonly string[] {
  if (type === 'flag') return parts[0] === 'no' ? [`--no-${name}`] : [`--${name}`]
  return parts.flatMap((part) => (part.startsWith('-') ? [`--${name}=${part}`] : [`--${name}`, part]))
}

/**
 * Form values that a command line sets.
 * @param words words after the name of the command
 * @throws SluiceError BAD_FLAG for a word that belongs to no option of the form
 */
export function valuesIn(of: CommandForm, words: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string[]>()
  const operands = of.takes.filter(({ operand }) => operand === true)
  const put = ({ name }: FormOption, value: string): void => void values.set(name, [...(values.get(name) ?? []), value])
  let isOpen = true
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (isOpen && word === '--') isOpen = false
    else if (isOpen && word.startsWith('-') && word !== '-') {
      const [, name = '', , value] = /^--?([^=]+)(=(.*))?$/s.exec(word) ?? []
      const option = optionNamed(of, name)
      if (option === undefined) throw unknown(of, word)
      if (option.type === 'flag') put(option, name.startsWith('no-') || value === 'false' ? 'no' : 'yes')
      else {
        if (value === undefined) at += 1
        put(option, value ?? words[at] ?? '')
      }
    } else {
      const operand = operands.find(({ name, type }) => type === 'list' || !values.has(name))
      if (operand === undefined) throw unknown(of, word)
      put(operand, word)
    }
  }
  return new Map(
    [...values].map(([name, said]) => {
      const option = of.takes.find((one) => one.name === name)
      return [name, option?.type === 'list' ? said.map(listWord).join(' ') : (said.at(-1) ?? '')]
    }),
  )
}

/** A word as typed in a list: quoted if it is empty or contains blanks, quotes or backslashes. */
export function listWord(word: string): string {
  return word !== '' && !/[\s'"\\]/.test(word) ? word : shellQuote(word)
}

function optionNamed({ takes }: CommandForm, name: string): FormOption | undefined {
  const flags = takes.filter(({ operand }) => operand !== true)
  return (
    flags.find((option) => option.name === name || option.alias === name) ??
    flags.find((option) => option.type === 'flag' && name === `no-${option.name}`)
  )
}

function unknown({ words }: CommandForm, word: string): SluiceError {
  return new SluiceError('BAD_FLAG', `the form of ${words.join(' ')} has no field for ${word}`, {
    hint: `remove ${word}, or run the command in a shell`,
  })
}
