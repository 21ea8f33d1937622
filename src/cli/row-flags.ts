/** Flags of commands that answer with rows of a query. */
import type { RowFormat } from '../engine/operation.ts'
import { count, given, optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { optionalDuration } from './duration.ts'

const ROW_FORMATS: readonly RowFormat[] = ['table', 'csv', 'json']

export type RowWish = { readonly limit: number; readonly format: RowFormat; readonly timeoutMs?: number }

/** @throws SluiceError BAD_FLAG */
export function readRows(args: Arguments): RowWish {
  const format = optionalText(args, 'format')
  return {
    limit: count(args, 'limit', 1),
    format: ROW_FORMATS.find((word) => word === format) ?? 'table',
    ...given('timeoutMs', optionalDuration(args, 'timeout')),
  }
}
