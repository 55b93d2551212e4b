/** A QR code as one SVG path, black on white in both themes, because cameras want it so. */
import encodeQR from 'qr'
import { useMemo } from 'react'

const QUIET = 4

/** The dark modules as an SVG path of unit squares. */
export function qrPath(text: string): { path: string; size: number } {
  const grid = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET })
  const path = grid.flatMap((row, y) => row.flatMap((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : []))).join('')
  return { path, size: grid.length }
}

export function Qr({ text, label, width = 184 }: { text: string; label: string; width?: number }) {
  const { path, size } = useMemo(() => qrPath(text), [text])
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${size} ${size}`}
      width={width}
      height={width}
      className="shrink-0 rounded-md"
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
