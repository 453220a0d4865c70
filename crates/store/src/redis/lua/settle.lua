-- Settles permits. ARGV: account, serial, expiry, whether answered, per permit.
for i = 1, #ARGV, 4 do
  settle(lane_of(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3] == '1')
end
for L in pairs(changed) do place(L, false) end
finish()
return 0
