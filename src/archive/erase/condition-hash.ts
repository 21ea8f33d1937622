/** Tells whether an erasure that goes on has the condition that it began with, without keeping that: a slow hash under a salt, as of passwords. */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import type { RowTest } from '../../model/archive/row-test.ts'

const BYTES = 32

/** `salt:hash`, hexadecimal. */
export function conditionHash(test: RowTest, salt = randomBytes(BYTES)): string {
  return `${salt.toString('hex')}:${scryptSync(JSON.stringify(test), salt, BYTES).toString('hex')}`
}

export function isCondition(test: RowTest, hash: string): boolean {
  const [salt = ''] = hash.split(':')
  return timingSafeEqual(Buffer.from(conditionHash(test, Buffer.from(salt, 'hex'))), Buffer.from(hash))
}
