/** Run ids as typed by users. */
import { SluiceError } from '../../shared/errors.ts'
import { givenText, type Arguments } from '../parse/arguments.ts'

/** @param shown name for messages @throws SluiceError BAD_FLAG */
export function runIdArgument(args: Arguments, name: string, shown: string): string | undefined {
  const text = givenText(args, name)
  if (text === undefined || /^\d{1,19}$/.test(text)) return text
  throw new SluiceError('BAD_FLAG', `${shown} ${text} is not the id of a run`, {
    hint: 'give the number after `run` in the first line that the run printed',
  })
}
