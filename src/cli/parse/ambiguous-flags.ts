/** Rejects ambiguous flags: given twice, both `--x` and `--no-x`, or `--confirm` with nothing to confirm. */
import { fieldsForConfirm } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'
import type { Option } from '../../engine/run/operations/option.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Arguments } from './arguments.ts'
import { splitAtEnd } from './globals.ts'
import { shownOption } from './option-flags.ts'

/**
 * @param argv the words as typed, because yargs keeps only the last value of a repeated flag
 * @throws SluiceError BAD_FLAG
 */
export function refuseRepeatedFlags(args: Arguments, argv: readonly string[], takes: readonly Option[]): void {
  const [flags] = splitAtEnd(argv)
  for (const option of takes) {
    const value = args[option.name]
    if (option.type !== 'list' && option.type !== 'flag' && Array.isArray(value)) {
      throw new SluiceError('BAD_FLAG', `${shownOption(option)} is given ${value.length} times`, {
        hint: 'give it once',
      })
    }
    if (option.type !== 'flag') continue
    const on = flags.find((word) => word === `--${option.name}` || word === `--${option.name}=true`)
    const off = flags.find((word) => word === `--no-${option.name}` || word === `--${option.name}=false`)
    if (on === undefined || off === undefined) continue
    throw new SluiceError('BAD_FLAG', `${on} and ${off} cannot be combined`, { hint: 'remove one of the two' })
  }
}

/**
 * @param operation null if the command starts no operation
 * @throws SluiceError BAD_FLAG if `--confirm` has nothing to confirm
 */
export function refuseUnneededConfirm(args: Arguments, operation: Operation | null): void {
  if (args['confirm'] === undefined) return
  const fields = operation === null ? [] : fieldsForConfirm(operation)
  if (fields === null) return
  throw new SluiceError('BAD_FLAG', '--confirm has nothing to confirm', {
    hint: fields.length === 0 ? 'remove --confirm' : `add ${fields.map(flagOf).join(' or ')}, or remove --confirm`,
  })
}

/** The flag of a field: `--delete-extra` for `deleteExtra`. */
const flagOf = (field: string): string => `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
