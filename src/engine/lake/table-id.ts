/** Default table id: the folder's name and 8 hex digits of the location's SHA-256, so equal names do not collide. */
import { createHash } from 'node:crypto'

/** @param location canonical URI of the table root */
export function defaultTableId(location: string): string {
  const name = decodeURIComponent(location.slice(location.lastIndexOf('/') + 1)) || 'table'
  return `${name}-${createHash('sha256').update(location).digest('hex').slice(0, 8)}`
}
