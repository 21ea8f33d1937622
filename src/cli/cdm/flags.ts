/** `--properties`, `--conf`, `--class`: what was written for the Cassandra Data Migrator, as a source of wishes below the flags. */
import { SluiceError } from '../../shared/errors.ts'
import { list, optionalText, type Arguments } from '../arguments.ts'
import { confProperty, readProperties } from './properties-file.ts'
import { IDLE_FLAG, jobOf } from './submit.ts'
import { cdmWishes, type CdmWishes } from './wishes.ts'

/** @returns null where none of these flags is given @throws SluiceError BAD_FLAG, BAD_CONFIG */
export function readCdm(args: Arguments): CdmWishes | null {
  const file = optionalText(args, 'properties')
  const conf = list(args, 'conf')
  const job = optionalText(args, 'class')
  const idle = list(args, IDLE_FLAG)
  if (file === undefined && conf.length === 0 && job === undefined) {
    if (idle.length === 0) return null
    throw new SluiceError('BAD_FLAG', `${idle.join(', ')} goes with --class or --properties only`)
  }
  const properties = [...(file === undefined ? [] : readProperties(file)), ...conf.map(confProperty)]
  const wishes = cdmWishes(properties, job !== undefined && jobOf(job).ysql)
  if (idle.length === 0) return wishes
  const words = [...new Set(idle)].map((word) => (/\.jar$/i.test(word) ? word : `--${word}`))
  return { ...wishes, notes: [...wishes.notes, `for Spark, and meaning nothing here: ${words.join(', ')}`] }
}
