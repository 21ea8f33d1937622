/** Error messages for a wrong command line: translates yargs messages, and suggests the flag that was likely meant. */
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { closest } from '../../shared/closest.ts'
import { SluiceError } from '../../shared/errors.ts'
import { COMMANDS } from './command-list.ts'
import { GLOBAL_NAMES } from './globals.ts'

/** Translates a message of yargs. */
export function usageErrorOf(message: string, entry: CommandDeclaration | null): SluiceError {
  const help = `sluice ${entry === null ? '' : `${entry.name} `}--help shows the options`
  const flat = message.replaceAll(/\s+/g, ' ').trim()
  const noValue = /^Not enough arguments following: (.+)$/.exec(flat)
  if (noValue !== null) {
    const flag = `--${noValue[1] ?? ''}`
    return new SluiceError('BAD_FLAG', `${flag} needs a value`, {
      hint: `if it comes from a variable, check that the variable is set; if it begins with -, write ${flag}=VALUE`,
    })
  }
  if (flat.startsWith('Not enough non-option arguments')) {
    // The operands are filled in order, so those after the given ones are missing.
    const given = Number(/got (\d+)/.exec(flat)?.[1] ?? 0)
    const needed = entry?.operands.match(/<[^>]+>/g)?.slice(given) ?? []
    const names = needed.map((one) => one.replaceAll(/[<>]|\.\./g, '').toUpperCase())
    const operand = names.length === 0 ? 'a word' : names.join(' ')
    return new SluiceError('BAD_FLAG', `${operand} is missing`, { hint: help })
  }
  const missing = /^Missing required arguments?: (.+)$/.exec(flat)
  if (missing !== null) {
    const flags = (missing[1] ?? '').split(', ').map((name) => `--${name}`)
    return new SluiceError('BAD_FLAG', `${flags.join(' and ')} ${flags.length === 1 ? 'is' : 'are'} missing`, {
      hint: help,
    })
  }
  const choice = /^Invalid values: Argument: (\S+), Given: "?(.*?)"?, Choices: (.+)$/.exec(flat)
  if (choice !== null) {
    const [, name = '', wrong = '', choices = ''] = choice
    return new SluiceError(
      'BAD_FLAG',
      `--${name} takes ${choices.replaceAll('"', '').replace(/, (?=[^,]*$)/, ' or ')}, not ${wrong}`,
    )
  }
  return new SluiceError('BAD_FLAG', flat, { hint: help })
}

/** Error for `Unknown argument: recursiv`, with the flag that was probably meant. */
export function unknownFlag(words: string, argv: readonly string[], entry: CommandDeclaration | null): SluiceError {
  const own = (entry?.takes ?? []).flatMap(({ name, alias = name, operand, hidden }) =>
    operand === true || hidden === true ? [] : [name, alias],
  )
  const known = [...new Set([...own, ...GLOBAL_NAMES])].filter((name) => name.length > 1)
  const named = words.split(', ').map((word) => {
    const isFlag = argv.some(
      (given) => given.replace(/=.*$/s, '').replace(/^--?(?:no-)?/, '') === word && given.startsWith('-'),
    )
    if (!isFlag) return `word ${word}`
    const meant = closest(word, known)
    return `flag ${word.length === 1 ? '-' : '--'}${word}${meant === null ? '' : ` (--${meant}?)`}`
  })
  const page = `sluice ${entry === null ? '' : `${entry.name} `}--help shows the options`
  return new SluiceError('BAD_FLAG', `unknown ${named.join(', ')}`, { hint: commandsWithFlag(words, entry) ?? page })
}

/** Hint with the commands that accept one of these words as a flag; null if none does. */
function commandsWithFlag(words: string, entry: CommandDeclaration | null): string | null {
  for (const word of words.split(', ')) {
    const takers = COMMANDS.flatMap(({ name, takes }) => {
      const option = takes.find((known) => known.operand !== true && known.name === word)
      return option === undefined ? [] : [{ name, isDatabase: option.completes === 'database' }]
    }).toSorted((a, b) => Number(b.isDatabase) - Number(a.isDatabase))
    if (takers.length === 0) continue
    const names = takers.map(({ name }) => name)
    const some =
      names.length > 6
        ? `${names.slice(0, 6).join(', ')} and others take`
        : `${names.join(', ')} ${names.length === 1 ? 'takes' : 'take'}`
    const opened = 'the UI is opened with PATH, --from URL and --database-url URL'
    const place =
      entry === null
        ? `name the command first, such as sluice ${names[0] ?? ''} --${word}; ${opened}`
        : `sluice ${names[0] ?? ''} --help shows how`
    return `${some} --${word}: ${place}`
  }
  return null
}
