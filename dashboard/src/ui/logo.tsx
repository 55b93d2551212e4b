export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} className="shrink-0" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent-solid)" />
      <path
        d="M16 5.500 24.500 8.800v6.700c0 5.200-3.500 9-8.500 11-5-2-8.500-5.800-8.500-11V8.800z"
        fill="none"
        stroke="#fff"
        strokeWidth="2.600"
        strokeLinejoin="round"
      />
      <path
        d="m12.200 15.800 2.800 2.800 5-5.200"
        fill="none"
        stroke="#fff"
        strokeWidth="2.600"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}
